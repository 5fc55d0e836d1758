-- Puts a model to work.
select dealwright.promote_model(%(model_id)s::bigint)
