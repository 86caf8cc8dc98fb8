-- Since when nodes could say without a break that they live, whoever of them did. While the database
-- was away nobody could, so nobody may be taken for dead for that time.
create table pulse (
    one      boolean primary key default true check (one),
    since    timestamptz not null default now(),
    last_at  timestamptz not null default now()
);
insert into pulse default values;

grant select, update on pulse to ralex_system;
