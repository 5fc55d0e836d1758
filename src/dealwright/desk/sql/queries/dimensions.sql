-- The declared dimensions with their values, in the order of their slots.
select d.name, array_agg(v.value order by v.slot) filter (where v.value is not null) as allowed
from dealwright.dimension as d
left join dealwright.dimension_value as v using (dimension_id)
group by d.dimension_id
order by d.position
