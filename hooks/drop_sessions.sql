-- stage: before
-- store: main
-- Sessions and tokens are of no use in a branch: they go before anything is masked.
DELETE FROM public.sessions;
