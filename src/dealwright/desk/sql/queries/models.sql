-- The registered models, newest first.
select model_id, kind, created_at, promoted, promoted_at, evidence, metrics
from dealwright.model
order by model_id desc
