-- What each slot stands for.
select v.slot, d.name, v.value from dealwright.dimension_value as v join dealwright.dimension as d using (dimension_id)
