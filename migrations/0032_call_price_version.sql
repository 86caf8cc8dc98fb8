-- Which version of its model's price a call was held and paid at: with it, every part of a price (long
-- input, audio, units) can be looked up again. Calls before this did not write it down.
alter table call add column price_version integer;
