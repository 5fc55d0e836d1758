-- The nine-feature Match Score as one query over the history: what a ranking costs without counters.
create function reference.rank_by_history(lead_attributes jsonb, luxury_wanted boolean, weights jsonb)
returns table (agent_id bigint, match_score numeric) language sql stable as $$
    with latest as (
        select max(completed_at) as at from dealwright.booking where status = 'confirmed'
    ), history as (
        select a.agent_id,
               count(*) filter (where l.attributes ->> 'lead_source' = lead_attributes ->> 'lead_source') as source_assigned,
               count(*) filter (where l.attributes ->> 'communication_method' = lead_attributes ->> 'communication_method') as method_assigned,
               count(*) filter (where b.status = 'confirmed') as confirmed,
               count(*) filter (where b.status = 'pending') as pending,
               count(*) filter (where b.status = 'confirmed' and l.attributes ->> 'destination' = lead_attributes ->> 'destination') as destination_confirmed,
               count(*) filter (where b.status = 'confirmed' and l.attributes ->> 'lead_source' = lead_attributes ->> 'lead_source') as source_confirmed,
               count(*) filter (where b.status = 'confirmed'
                   and l.attributes ->> 'communication_method' = lead_attributes ->> 'communication_method') as method_confirmed,
               count(*) filter (where b.status = 'confirmed' and b.completed_at >= latest.at - interval '30 days') as recent,
               sum(b.total_revenue) filter (where b.status = 'confirmed') as revenue
        from dealwright.assignment as a
        join dealwright.lead as l using (lead_id)
        left join dealwright.booking as b using (assignment_id)
        cross join latest
        group by a.agent_id
    ), feature as (
        select g.agent_id, g.department,
               percent_rank() over (order by g.rating) as rating,
               percent_rank() over (order by g.years_of_service) as experience,
               percent_rank() over (order by coalesce(h.revenue, 0)) as revenue,
               percent_rank() over (order by coalesce(h.destination_confirmed::float8 / nullif(h.confirmed, 0), 0)) as destination,
               percent_rank() over (order by coalesce(h.source_confirmed::float8 / nullif(h.source_assigned, 0), 0)) as conversion,
               percent_rank() over (order by coalesce(h.method_confirmed::float8 / nullif(h.method_assigned, 0), 0)) as communication,
               percent_rank() over (order by coalesce(h.recent::float8 / nullif(h.confirmed, 0), 0)) as recency,
               percent_rank() over (order by 1 - coalesce(h.pending, 0)::float8 / nullif(g.capacity, 0)) as availability
        from dealwright.agent as g
        left join history as h using (agent_id)
    ), scored as (
        select f.agent_id,
               (weights ->> 'rating_score')::float8 * f.rating + (weights ->> 'experience_score')::float8 * f.experience
               + (weights ->> 'revenue_score')::float8 * f.revenue + (weights ->> 'dest_expertise_score')::float8 * f.destination
               + (weights ->> 'lead_conversion_score')::float8 * f.conversion + (weights ->> 'communication_score')::float8 * f.communication
               + (weights ->> 'requirements_score')::float8 * (luxury_wanted and f.department = 'Luxury Voyages')::integer
               + (weights ->> 'recency_score')::float8 * f.recency + (weights ->> 'availability_score')::float8 * f.availability as raw
        from feature as f
    )
    select s.agent_id,
           round((100 * (s.raw - min(s.raw) over ()) / nullif(max(s.raw) over () - min(s.raw) over (), 0))::numeric, 1)
    from scored as s
    order by s.raw desc
$$;
