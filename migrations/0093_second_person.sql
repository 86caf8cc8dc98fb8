-- Who has had a secret of a token in their hands: whoever made it or gave it another one, or who made the token
-- by which that was done. What a token asks for is also the question of all of them.
alter table token add column known_to uuid[] not null default '{}';
grant select (known_to) on token to ralex_exporter;
comment on column token.known_to is 'Beside created_by: everybody to whom any of its secrets was ever shown.';
