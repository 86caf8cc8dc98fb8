-- Failed tries are looked through by their age, to be forgotten.
create index throttle_age on throttle (last_at);

-- Whoever has an account already is asked before they belong to one more organisation: their membership is closed
-- until they say yes, as a suspended one is, by a link of that organisation.
alter table membership drop constraint membership_suspended_by;
alter table membership add constraint membership_suspended_by check (suspended_by <@ array['person', 'directory', 'invitation']);
alter table account_link add column join_org_id uuid;
alter table account_link drop constraint account_link_one;
alter table account_link add constraint account_link_one unique nulls not distinct (user_id, purpose, join_org_id);
alter table account_link drop constraint account_link_purpose;
alter table account_link add constraint account_link_purpose check (purpose in ('invited', 'forgotten', 'join'));
alter table account_link add constraint account_link_join check ((purpose = 'join') = (join_org_id is not null));
alter table account_link add constraint account_link_member foreign key (join_org_id, user_id) references membership (org_id, user_id) on delete cascade;
drop policy tenant on account_link;
create policy tenant on account_link for select to ralex_app
    using (exists (
            select from membership m
            where m.org_id = (select nullif(current_setting('app.org', true), '')::uuid)
              and m.user_id = account_link.user_id)
        and (join_org_id is null
            or join_org_id = (select nullif(current_setting('app.org', true), '')::uuid)));
grant select (join_org_id) on account_link to ralex_app;
