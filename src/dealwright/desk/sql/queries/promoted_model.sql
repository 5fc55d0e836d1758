-- The model of a kind that is at work.
select model_id, parameters from dealwright.model where promoted and kind = %(kind)s
