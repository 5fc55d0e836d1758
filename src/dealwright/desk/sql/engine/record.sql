-- the record ------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.refuse_change()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if tg_op = 'UPDATE' and dealwright_engine.is_allowed('erasing', 0) then
        return null;  -- dealwright.erase_customer, which seals what it has done
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'DW001',
        hint = 'what was decided and what happened is evidence: what corrects it is recorded beside it';
end
$$;
