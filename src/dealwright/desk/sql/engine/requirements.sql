-- Free text to required skills: whole words and synonyms, and "no luxury" is not luxury.

create or replace function dealwright_engine.mentions(requirements text, term text)
returns boolean language sql immutable parallel safe as $$
    -- First what is negated is taken out: a negation, up to three words of the same clause, the term; or the term and
    -- "not needed" behind it. "not only" and "not just" negate nothing, and "but" ends a negation.
    select regexp_replace(
        regexp_replace(
            requirements,
            '\m(?:no|not|without|non|never|avoid|avoiding|except|excluding|neither|nor|'
            || 'do\s?n.?t|does\s?n.?t|did\s?n.?t|is\s?n.?t|are\s?n.?t|cannot|can.?t|wo\s?n.?t|'
            || 'instead\s+of|rather\s+than|anything\s+but)\M'
            || '(?!\s+(?:only|just|merely)\M)[\s-]+(?:(?!but\M|however\M|yet\M|only\M)[\w'']+[\s-]+){0,3}?'
                || word.pattern,
            ' ', 'gi'),
        word.pattern
            || '(?:\s+\w+){0,2}?\s+(?:(?:is|are|was)\s?(?:not|n.?t)|not|un)\s?'
            || '(?:needed|required|necessary|wanted|important)\M',
        ' ', 'gi'
    ) ~* word.pattern
    from (
        -- not \m and \M: a term such as "c++" begins or ends with what is no letter
        select '(?<!\w)' || regexp_replace(regexp_replace(term, '([.*+?^${}()|\[\]\\])', '\\\1', 'g'), '[\s-]+',
            '[\s-]+', 'g')
               || '(?:s|es)?(?!\w)' as pattern
    ) as word
$$;
comment on function dealwright_engine.mentions(text, text)
    is 'Whether the text asks for the term; a negated mention does not count.';

create or replace function dealwright_engine.required(requirements text, term_kind text)
returns text[] language sql stable as $$
    select array_agg(distinct t.name order by t.name)
    from dealwright.requirement_term as t
    where t.kind = term_kind and requirements is not null and dealwright_engine.mentions(requirements, t.term)
$$;
comment on function dealwright_engine.required(text, text) is
    'Names of the skills (or departments) that the text asks for, among those some agent has; null when there are '
    'none.';

create or replace function dealwright_engine.required_department(requirements text)
returns text language sql stable as $$
    -- two departments at once cannot be met: then the text is taken as context, not as a condition
    select d[1] from dealwright_engine.required(requirements, 'department') as d where cardinality(d) = 1
$$;

create or replace function dealwright_engine.default_synonyms(skill text)
returns text[] language sql immutable as $$
    select case lower(skill)
        when 'luxury' then array['luxurious', 'deluxe', 'upscale', 'high-end', 'five-star', 'first-class', 'vip']
        when 'family' then array['families', 'kids', 'children', 'family-friendly']
        when 'business' then array['corporate', 'b2b', 'company account']
        when 'adventure' then array['adventurous', 'expedition', 'trekking']
        when 'honeymoon' then array['newlywed', 'wedding trip']
        when 'accessibility' then array['wheelchair', 'disabled', 'reduced mobility', 'accessible']
        when 'spanish' then array['español', 'castellano']
        when 'french' then array['français']
        when 'german' then array['deutsch']
        when 'portuguese' then array['português']
        when 'catalan' then array['català']
        when 'sustainability' then array['sustainable', 'eco-friendly', 'green travel', 'carbon neutral']
        else '{}'::text[]
    end
$$;
comment on function dealwright_engine.default_synonyms(text) is
    'Words that stand for a skill from the start; more go into dealwright.requirement_term.';

create or replace function dealwright_engine.learn_terms(agent_skills text[], agent_department text)
returns void language sql as $$
    insert into dealwright.requirement_term (kind, name, term)
    select 'skill', lower(skill), word
    from unnest(agent_skills) as skill
    cross join lateral unnest(array[lower(skill)] || dealwright_engine.default_synonyms(skill)) as word
    union
    -- a department is only required where the text has its whole name
    select 'department', agent_department, lower(agent_department)
    where agent_department is not null and position(' ' in agent_department) > 0
    on conflict do nothing
$$;
comment on function dealwright_engine.learn_terms(text[], text)
    is 'Makes the skills and the department of an agent known to the text matching.';
