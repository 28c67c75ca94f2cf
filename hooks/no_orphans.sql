-- stage: verify
-- store: main
-- Every row that this gives is a reason not to publish: a ticket whose author is no longer there.
SELECT t.id FROM public.tickets AS t LEFT JOIN public.people AS p ON p.email = t.author WHERE p.id IS NULL;
