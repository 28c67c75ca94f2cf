-- stage: after
-- store: main
-- writes: public.people.label
-- A column that an application keeps in step with others is written again from what these became.
UPDATE public.people SET label = name || ' <' || email || '>' WHERE label IS NOT NULL;
