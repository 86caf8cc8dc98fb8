-- The models that a personal token may use, by name; nothing is all. Names are an organisation's, and the token
-- counts in all of its person's, so they are looked at when it calls and not when it is made.
alter table personal_token add column models text[];
alter table personal_token add constraint personal_token_models check (cardinality(models) > 0);

-- Those of such names by which an organisation has a model, a route or another name of one. It is told no others:
-- what another organisation calls its models is not its business.
create function models_named(org uuid, names text[]) returns text[]
language sql stable as $$
    select case when $2 is not null then array(
        select asked.name from unnest($2) with ordinality as asked (name, place)
        where exists (select from model m where m.org_id = $1 and m.name = asked.name)
           or exists (select from route r where r.org_id = $1 and r.name = asked.name)
           or exists (select from model_alias a where a.org_id = $1 and a.name = asked.name)
        order by asked.place) end
$$;
