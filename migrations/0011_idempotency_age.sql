-- Answers are forgotten by their age.
create index idempotency_age on idempotency (created_at);
