-- Limits per channel: declared, changed for one agent, shown.

create or replace function dealwright.set_channel(
    channel text, capacity integer default null, places integer default 1, dimension text default null
)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id integer;
    before jsonb;
    present jsonb;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if set_channel.capacity < 0 or coalesce(set_channel.places, 0) not between 1 and 1000 then
        raise exception 'channel %: capacity must be at least 0 and places from 1 to 1000, not % and %',
            quote_literal(left(set_channel.channel, 100)), set_channel.capacity, set_channel.places
            using errcode = 'DW002', hint = 'a capacity of null is no limit, and 1 place is what every lead takes';
    end if;
    perform dealwright_engine.hold_writers();  -- every open lead is counted
    id := dealwright_engine.channel_slot(set_channel.channel, set_channel.dimension);
    select to_jsonb(c) - 'slot' into before from dealwright.channel as c where c.slot = id;
    insert into dealwright.channel as c (slot, capacity, places)
    values (id, set_channel.capacity, set_channel.places)
    on conflict (slot) do update set capacity = excluded.capacity, places = excluded.places
    returning to_jsonb(c) - 'slot' into present;
    if before is distinct from present then
        perform dealwright_engine.recount_channels();
        perform dealwright_engine.write_rules();
        perform dealwright_engine.note_change('set_channel', 'channel', set_channel.channel, before, present);
        perform dealwright.fill_free_places();  -- a higher limit opens places
    end if;
end
$$;
comment on function dealwright.set_channel(text, integer, integer, text) is
    'How many open leads of a channel each agent may have (null: no limit), and how many places of the agent''s '
    'capacity one takes. The channel is a value of a dimension: communication_method, unless another one is named. '
    'What is open stays, also where it is more.';

create or replace function dealwright.remove_channel(channel text)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id integer;
    before jsonb;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.hold_writers();
    id := dealwright_engine.limited_channel(remove_channel.channel);
    delete from dealwright.channel as c where c.slot = id returning to_jsonb(c) - 'slot' into before;
    perform dealwright_engine.write_rules();
    perform dealwright_engine.note_change('remove_channel', 'channel', remove_channel.channel, before, null);
    perform dealwright.fill_free_places();
end
$$;
comment on function dealwright.remove_channel(text) is
    'Takes the limits of a channel away, also those of single agents.';

create or replace function dealwright_engine.limited_channel(channel text)
returns integer language plpgsql stable as $$
declare
    id integer;
begin
    select c.slot into id
    from dealwright.channel as c
    join dealwright.dimension_value as v using (slot)
    where v.value = limited_channel.channel;
    if not found then
        raise exception 'there is no channel % with a limit', quote_literal(left(limited_channel.channel, 100))
            using errcode = 'DW003', hint = coalesce(
                'those with a limit are ' || (
                    select string_agg(v.value, ', ' order by c.slot)
                    from dealwright.channel as c join dealwright.dimension_value as v using (slot)),
                'none has one yet: dealwright.set_channel (`dealwright channels set`) declares it');
    end if;
    return id;
end
$$;

create or replace function dealwright.set_agent_channel(agent_id bigint, channel text, capacity integer)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id integer;
    former integer;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if set_agent_channel.capacity < 0 then
        raise exception 'the capacity must be at least 0, not %', set_agent_channel.capacity using errcode = 'DW002',
            hint = 'null gives the agent the number of the channel again';
    end if;
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    id := dealwright_engine.limited_channel(set_agent_channel.channel);
    perform from dealwright.agent as a where a.agent_id = set_agent_channel.agent_id for no key update;
    if not found then
        raise exception 'there is no agent %', set_agent_channel.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    select c.capacity into former from dealwright.agent_channel as c
    where c.agent_id = set_agent_channel.agent_id and c.slot = id;
    if former is not distinct from set_agent_channel.capacity then
        return;
    end if;
    if set_agent_channel.capacity is null then
        delete from dealwright.agent_channel as c where c.agent_id = set_agent_channel.agent_id and c.slot = id;
    else
        insert into dealwright.agent_channel as c (agent_id, slot, capacity)
        values (set_agent_channel.agent_id, id, set_agent_channel.capacity)
        on conflict on constraint agent_channel_pkey do update set capacity = excluded.capacity;
    end if;
    update dealwright_engine.channel_open as o
    set capacity = coalesce(set_agent_channel.capacity, c.capacity)
    from dealwright.channel as c
    where o.agent_id = set_agent_channel.agent_id and o.slot = id and c.slot = id;
    perform dealwright_engine.note_change('set_agent_channel', 'agent', set_agent_channel.agent_id::text,
        jsonb_build_object('channel', set_agent_channel.channel, 'capacity', former),
        jsonb_build_object('channel', set_agent_channel.channel, 'capacity', set_agent_channel.capacity));
    perform dealwright_engine.fill_from_queue(set_agent_channel.agent_id);
end
$$;
comment on function dealwright.set_agent_channel(bigint, text, integer) is
    'How many open leads of a channel one agent may have; null: as many as the channel says. Room that opens goes to '
    'those who wait.';

create or replace view dealwright.channel_limit as
select d.name as dimension, v.value as channel, c.capacity, c.places,
       (select coalesce(sum(o.open), 0)::bigint from dealwright_engine.channel_open as o where o.slot = c.slot) as open
from dealwright.channel as c
join dealwright.dimension_value as v using (slot)
join dealwright.dimension as d using (dimension_id);
comment on view dealwright.channel_limit is 'The channels with limits, and how many leads of each are open.';

create or replace function dealwright.channels_of(agent_id bigint)
returns jsonb language plpgsql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
begin
    perform dealwright_engine.check_own_agent(channels_of.agent_id);
    return (
        select jsonb_agg(jsonb_build_object('channel', v.value, 'open', o.open, 'capacity', o.capacity,
            'places', c.places, 'own', s.slot is not null) order by o.slot)
        from dealwright_engine.channel_open as o
        join dealwright.channel as c using (slot)
        join dealwright.dimension_value as v using (slot)
        left join dealwright.agent_channel as s on s.agent_id = o.agent_id and s.slot = o.slot
        where o.agent_id = channels_of.agent_id);
end
$$;
comment on function dealwright.channels_of(bigint) is
    'What an agent has open of each channel with a limit, and how many there may be (own: a number of the agent''s '
    'own); null where no channel has one. An agent''s user asks for itself.';
