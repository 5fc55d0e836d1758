-- The policy that is used where none is named, the model behind the named one, and what the data can support.
select p.name as policy,
       (select m.model_id from dealwright.model as m
        where m.promoted and m.kind = case p.name when 'classic' then 'classic' else 'value' end
          and p.name in ('value', 'classic')) as model_id,
       (select m.evidence from dealwright.model as m where m.promoted and m.kind = 'value') as evidence
from dealwright.policy_for(%(policy)s::text) as p
