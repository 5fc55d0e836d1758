-- Accounts that were erased leave what people changed of plans: days, and territories.

create or replace function dealwright_engine.without_account(doc jsonb, account text)
returns jsonb language sql immutable as $$
    select case jsonb_typeof(doc)
        when 'array' then (
            select coalesce(jsonb_agg(dealwright_engine.without_account(i.item, account) order by i.place), '[]')
            from jsonb_array_elements(doc) with ordinality as i (item, place)
            where i.item <> to_jsonb(account))
        when 'object' then (
            select coalesce(jsonb_object_agg(e.key, dealwright_engine.without_account(e.value, account)), '{}')
            from jsonb_each(doc) as e where e.key <> account)
        else doc end
$$;
comment on function dealwright_engine.without_account(jsonb, text) is
    'A document without an account in its lists and among its keys.';

create or replace function dealwright_engine.erase_from_plans(account text)
returns integer language plpgsql as $$
declare
    erased integer;
    total integer := 0;
begin
    -- a change of the account itself is none any more; of others it goes on to count
    update dealwright_engine.day_change as c
    set change = case when c.change ->> 'account_id' = account then '{"kind": "erased"}'
                      else dealwright_engine.without_account(c.change, account) end
    where position(to_jsonb(account)::text in c.change::text) > 0
      and (c.change ->> 'account_id' = account or c.change <> dealwright_engine.without_account(c.change, account));
    get diagnostics erased = row_count;
    total := total + erased;
    update dealwright_engine.territory_edit as e
    set edit = dealwright_engine.without_account(e.edit, account),
        -- who moved nothing but this account moved nothing
        undone_by = case when e.edit -> 'accounts' = jsonb_build_array(account) then coalesce(e.undone_by, 'erased')
                         else e.undone_by end,
        undone_at = case when e.edit -> 'accounts' = jsonb_build_array(account)
                         then coalesce(e.undone_at, clock_timestamp()) else e.undone_at end
    where position(to_jsonb(account)::text in e.edit::text) > 0
      and e.edit <> dealwright_engine.without_account(e.edit, account);
    get diagnostics erased = row_count;
    total := total + erased;
    delete from dealwright_engine.territory_account as t where t.account_id = account;
    get diagnostics erased = row_count;
    return total + erased;
end
$$;
comment on function dealwright_engine.erase_from_plans(text) is
    'Takes an account out of changes of days and out of scenarios of territories; returns how many rows named it.';
