-- Sinks beyond webhooks: collectors of syslog over TLS, and stores of objects. What proves who
-- sends stays sealed in `sealed_secret`; here is only what is no secret.
alter table audit_sink
    drop constraint audit_sink_kind,
    add constraint audit_sink_kind check (kind in ('webhook', 'syslog', 's3')),
    -- How records are written.
    add column format text not null default 'cloudevents',
    add constraint audit_sink_format check (format in ('jsonl', 'ocsf', 'cef', 'syslog', 'cloudevents')),
    -- Of a store of objects: where it is, which its signature names.
    add column region text,
    -- Of a collector: who vouches for it, where that is no public authority.
    add column ca_pem text,
    -- What the secret is known by: the id of an access key, the fingerprint of a certificate.
    add column credential text,
    add column secret_changed_at timestamptz not null default now(),
    -- The secret before this one still signs beside it until then.
    add column previous_secret bytea,
    add column previous_until timestamptz,
    add constraint audit_sink_previous check ((previous_secret is null) = (previous_until is null)),
    add constraint audit_sink_region check ((kind = 's3') = (region is not null)),
    add constraint audit_sink_ca check (ca_pem is null or kind = 'syslog');
