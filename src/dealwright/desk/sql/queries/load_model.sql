-- Registers a model and may put it to work.
select dealwright.load_model(%(kind)s, %(parameters)s, %(promote)s) as model_id
