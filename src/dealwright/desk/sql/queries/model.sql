-- One model whole.
select model_id, kind, created_at, promoted, promoted_at, parameters, metrics, evidence
from dealwright.model
where model_id = %(model_id)s::bigint
