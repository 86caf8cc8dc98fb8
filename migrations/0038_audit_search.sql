-- What the audit log is searched by, each index in the same shape: within an action and an outcome
-- the ids are in order of time, so the newest of any kind of event are at the end of its stretch,
-- and the few kinds that an organisation, an actor or a target has are found by jumping from one
-- stretch to the next. Calls are their own targets and far more than all others, and have an index.
create index audit_event_kind on audit_event (org_id, action, outcome, id);
drop index audit_event_action;
alter index audit_event_kind rename to audit_event_action;

create index audit_event_who on audit_event (org_id, actor_id, action, outcome, id);
drop index audit_event_actor;
alter index audit_event_who rename to audit_event_actor;

create index audit_event_target on audit_event (org_id, (target collate "C"), action, outcome, id)
    where target not like 'call:%';
