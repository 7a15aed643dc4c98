-- Goes on with one of the tenant's chores: at most a batch of entries. Gives how many it touched, 0 when none is left.

local now = take_number()

local first = call('ZRANGE', CHORES, 0, 0, 'WITHSCORES')
if #first == 0 then return 0 end
local name, chore = first[1], tonumber(first[2])
local id = string.match(name, '^%d+:(.*)$')
-- A chore that finds nothing left was done all the same.
return math.max(1, advance(chore, id, call('HGET', CURSORS, name) or '', now))
