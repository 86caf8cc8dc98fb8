-- Whose something is: of a team or project all who may call models there; above the teams, of one
-- person or one token. First the row's owner, then who asks.
create function is_owners(
    row_team uuid, row_project uuid, row_user uuid, row_token uuid,
    team uuid, project uuid, person uuid, token uuid
) returns boolean language sql immutable parallel safe
return row_team is not distinct from team and row_project is not distinct from project
    and (team is not null
        or (row_user is not distinct from person
            and (person is not null or row_token is not distinct from token)));

-- Ids in answers of what their provider keeps: the answers themselves, their items, containers that
-- code ran in, sound. A key is shared by teams, so each is only named again where it was given.
create table kept_id (
    org_id  uuid not null,
    call_id uuid not null,
    id      text not null,
    primary key (org_id, call_id, id),
    constraint kept_id_call foreign key (org_id, call_id) references call (org_id, id) on delete cascade
);
create index kept_id_id on kept_id (org_id, id);
insert into kept_id (org_id, call_id, id)
    select org_id, id, answer_id from call where answer_id is not null;
select protect_tenant_table('kept_id');

grant select on kept_id to ralex_app;
grant select, insert on kept_id to ralex_system;

drop index call_answer;
alter table call drop column answer_id;
