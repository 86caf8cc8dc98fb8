-- What an organisation asks of everybody in it.
alter table org add column second_factor_required boolean not null default false;
