-- The declared dimensions with their values: bins in their order, others in that of their slots; empty is not among them.
select d.name, d.is_open, d.required, d.at_arrival, d.edges,
       array_agg(v.value order by v.bin, v.slot) filter (where case when d.edges = '{}' then v.bin is null and v.value <> '(empty)'
                                                               else v.bin <= cardinality(d.edges) + 1 end) as allowed
from dealwright.dimension as d
left join dealwright.dimension_value as v using (dimension_id)
group by d.dimension_id
order by d.position
