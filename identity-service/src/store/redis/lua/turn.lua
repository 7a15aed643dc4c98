-- Takes the tenant's turn to be compared with the Platform, if it has come: an interval after the last, or after the first who
-- asked. Cost: O(1).

local now_text, interval = take(), take_number()

local now, last = tonumber(now_text), tonumber(call('HGET', META, 'compared') or nil)
-- A clock that went back must not make it wait for longer than an interval.
local known = last and last <= now
if known and now - last < interval then return 0 end
call('HSET', META, 'compared', now_text)
return known and 1 or 0
