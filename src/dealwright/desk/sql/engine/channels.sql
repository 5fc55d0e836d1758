-- Limits per channel: how many open leads of a channel an agent may have, and how many places of the agent's capacity
-- one of them takes. A lead without a channel, or of one without a limit, takes one place.
--
-- Who has no room for a lead's channel is left out of its ranking, as who declined it is: the ranking itself knows
-- nothing of channels, and the record says whom it left out, so that a replay needs no counters of that moment. The
-- agent's row, once locked, is asked again before the place is claimed (engine/placement.sql). Where no channel is
-- declared, all that is looked at is the rule's by_channel.

create or replace function dealwright_engine.full_for(slots integer[], only_agent_id bigint default null)
returns bigint[] language plpgsql stable as $$
declare
    limited integer[];
    needed integer;
    weighs boolean;
    found_ids bigint[];
begin
    select array_agg(c.slot) filter (where c.slot = any (slots)),
        1 + coalesce(sum(c.places - 1) filter (where c.slot = any (slots)), 0),
        coalesce(max(c.places), 1) > 1
    into limited, needed, weighs
    from dealwright.channel as c;
    if only_agent_id is not null then
        select array[only_agent_id] into found_ids
        where exists (
                select from dealwright_engine.channel_open as o
                where o.agent_id = only_agent_id and o.slot = any (limited) and o.open >= o.capacity)
            or weighs and exists (
                select from dealwright.agent as a
                where a.agent_id = only_agent_id
                    and a.open + dealwright_engine.extra_places(only_agent_id) + needed > a.capacity);
        return found_ids;
    end if;
    select array_agg(f.agent_id order by f.agent_id) into found_ids
    from (
        select a.agent_id
        from dealwright_engine.channel_open as o
        join dealwright.agent as a using (agent_id)
        where o.slot = any (limited) and o.open >= o.capacity and a.active and a.open < a.capacity
        union
        select a.agent_id
        from dealwright.agent as a
        left join (
            select o.agent_id, sum(o.open * (c.places - 1)) as places
            from dealwright_engine.channel_open as o
            join dealwright.channel as c using (slot)
            where c.places > 1 and o.open > 0
            group by o.agent_id
        ) as e using (agent_id)
        where weighs and a.active and a.open < a.capacity and a.open + coalesce(e.places, 0) + needed > a.capacity
    ) as f;
    return found_ids;
end
$$;
comment on function dealwright_engine.full_for(integer[], bigint) is
    'The agents with a free place but without room for a lead of these slots: its channel is full, or it takes more '
    'places than are left. Of one agent alone where one is given; null: nobody.';

create or replace function dealwright_engine.extra_places(id bigint)
returns bigint language sql stable as $$
    select coalesce(sum(o.open * (c.places - 1)), 0)::bigint
    from dealwright_engine.channel_open as o
    join dealwright.channel as c using (slot)
    where o.agent_id = id and c.places > 1
$$;
comment on function dealwright_engine.extra_places(bigint) is
    'The places that an agent''s open leads take beyond one each.';

create or replace function dealwright_engine.leave_out_full(ask dealwright_engine.enquiry, others bigint[])
returns dealwright_engine.enquiry language plpgsql stable as $$
begin
    ask.full_agent_ids := dealwright_engine.full_for(ask.slots);
    ask.excluded_agent_ids := others || ask.full_agent_ids;
    return ask;
end
$$;
comment on function dealwright_engine.leave_out_full(dealwright_engine.enquiry, bigint[]) is
    'What a lead asks of the ranking, with the others and all who have no room for its channel left out.';

create or replace function dealwright_engine.has_room_for(id bigint, slots integer[])
returns boolean language plpgsql stable as $$
begin
    -- asked of who waits alone: the queue of a desk without channels reads one row of this
    return not exists (select from dealwright.channel) or dealwright_engine.full_for(slots, id) is null;
end
$$;

create or replace function dealwright_engine.is_over_channel(id bigint, slots integer[])
returns boolean language sql stable as $$
    select exists (
            select from dealwright_engine.channel_open as o
            where o.agent_id = id and o.slot = any (slots) and o.open > o.capacity)
        or exists (select from dealwright.channel as c where c.places > 1) and exists (
            select from dealwright.agent as a
            where a.agent_id = id and a.open + dealwright_engine.extra_places(id) > a.capacity)
$$;
comment on function dealwright_engine.is_over_channel(bigint, integer[]) is
    'Whether an agent has more open leads of the channel of these slots, or more places taken, than there may be.';

create or replace function dealwright_engine.claim_channel(id bigint, slots integer[], past_limits boolean)
returns void language plpgsql as $$
begin
    -- whoever counts a lead of the agent holds this row
    perform from dealwright.agent as a where a.agent_id = id for no key update;
    if not past_limits and dealwright_engine.full_for(slots, id) is not null then
        raise exception 'agent % has no room for the channel any more', id using errcode = 'DW009', hint = 'try again';
    end if;
    perform dealwright_engine.count_channel(id, slots, 1);
end
$$;
comment on function dealwright_engine.claim_channel(bigint, integer[], boolean) is
    'Counts a lead of a channel that the agent is about to get; DW009, to be undone, when there is no room any more.';

create or replace function dealwright_engine.count_channel(id bigint, slots integer[], amount integer)
returns void language sql as $$
    update dealwright_engine.channel_open as o set open = o.open + amount
    where o.agent_id = id and o.slot = any (slots)
$$;

create or replace function dealwright_engine.channel_words(slots integer[])
returns text language sql stable as $$
    select v.value
    from dealwright.channel as c
    join dealwright.dimension_value as v using (slot)
    where c.slot = any (slots)
$$;
comment on function dealwright_engine.channel_words(integer[]) is
    'The channel of a lead as the company calls it; null where it has none with a limit.';

create or replace function dealwright_engine.full_words(id bigint, slots integer[])
returns text language sql stable as $$
    select coalesce(
        (select format('has no free place for %s (%s of %s open)', v.value, o.open, o.capacity)
         from dealwright_engine.channel_open as o
         join dealwright.dimension_value as v using (slot)
         where o.agent_id = id and o.slot = any (slots) and o.open >= o.capacity
         limit 1),
        (select format('has %s of %s places taken, and this lead takes %s',
             a.open + dealwright_engine.extra_places(id), a.capacity,
             coalesce((select c.places from dealwright.channel as c where c.slot = any (slots)), 1))
         from dealwright.agent as a where a.agent_id = id))
$$;
comment on function dealwright_engine.full_words(bigint, integer[]) is
    'Why an agent has no room for a lead''s channel, in words that follow the name.';

create or replace function dealwright_engine.recount_channels()
returns void language plpgsql as $$
begin
    delete from dealwright_engine.channel_open;
    insert into dealwright_engine.channel_open (agent_id, slot, open, capacity)
    select r.agent_id, r.slot, r.open, r.capacity from dealwright_engine.recounted_channel as r;
end
$$;

create or replace function dealwright_engine.channel_slot(channel text, dimension text)
returns integer language plpgsql stable as $$
declare
    declared text;
    result integer;
begin
    -- one dimension is the channel: the one that has limits already, else the one named, else communication_method
    select d.name into declared
    from dealwright.channel as c
    join dealwright.dimension_value as v using (slot)
    join dealwright.dimension as d using (dimension_id)
    limit 1;
    if declared <> channel_slot.dimension then
        raise exception '% is the channel of this desk, not %', quote_literal(declared),
            quote_literal(left(channel_slot.dimension, 100)) using errcode = 'DW001',
            hint = 'take the limits of its values away first (dealwright channels remove)';
    end if;
    declared := coalesce(declared, channel_slot.dimension, 'communication_method');
    select v.slot into result
    from dealwright.dimension as d
    join dealwright.dimension_value as v using (dimension_id)
    where d.name = declared and v.value = channel_slot.channel;
    if not found then
        if not exists (select from dealwright.dimension as d where d.name = declared) then
            raise exception 'there is no dimension %', quote_literal(left(declared, 100)) using errcode = 'DW003',
                hint = 'name the dimension of a lead that is its channel: ' || coalesce(
                    (select string_agg(d.name, ', ' order by d.position) from dealwright.dimension as d),
                    'none is declared yet');
        end if;
        raise exception '% has no value %', declared, quote_literal(left(channel_slot.channel, 100))
            using errcode = 'DW003',
            hint = 'use one of ' || coalesce(
                (select string_agg(v.value, ', ' order by v.slot)
                 from dealwright.dimension as d
                 join dealwright.dimension_value as v using (dimension_id)
                 where d.name = declared), '(none yet)');
    end if;
    return result;
end
$$;
comment on function dealwright_engine.channel_slot(text, text) is
    'The slot of a channel by its name: a value of the dimension that is the desk''s channel.';

create or replace view dealwright_engine.recounted_channel as
select a.agent_id, c.slot, count(s.assignment_id)::integer as open, coalesce(o.capacity, c.capacity) as capacity
from dealwright.agent as a
cross join dealwright.channel as c
left join dealwright.agent_channel as o on o.agent_id = a.agent_id and o.slot = c.slot
left join dealwright.assignment as s on s.agent_id = a.agent_id and s.status = 'open' and c.slot = any (s.slots)
group by a.agent_id, c.slot, o.capacity, c.capacity;
comment on view dealwright_engine.recounted_channel is
    'channel_open, counted from scratch: must always agree with it.';
