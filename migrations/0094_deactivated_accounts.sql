-- Accounts that an operator has closed on the whole deployment. Who was erased is closed too and cannot be opened again:
-- such an account has no reason here.
alter table app_user
    add column deactivated_reason text,
    add column deactivated_by uuid,
    add constraint app_user_deactivated check (deactivated_reason is null or disabled_at is not null);
create index app_user_deactivated_at on app_user (disabled_at, id) where deactivated_reason is not null;
