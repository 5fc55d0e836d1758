-- Registers a model and may put it to work.
select dealwright.load_model(%(kind)s::text, %(parameters)s::jsonb, %(promote)s::boolean) as model_id
