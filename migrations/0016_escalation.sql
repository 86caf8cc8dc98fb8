-- A try may also be made because an answer was not good enough.
alter table call_attempt
    drop constraint call_attempt_cause,
    add constraint call_attempt_cause check (cause in ('choice', 'retry', 'key', 'fallback', 'hedge', 'escalation'));
