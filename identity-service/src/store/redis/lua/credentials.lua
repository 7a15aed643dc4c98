-- Keeps other credentials in place of those that the caller has seen, the empty text where it saw none; whether they were the
-- present ones. What was done is logged, where it is told. Cost: O(1), and a few old entries of the log go (log.lua).

local seen, credentials, now, now_text, what, origin = take(), take(), take_number(), take(), take_optional(), take_optional()
if (call('HGET', META, 'credentials') or '') ~= seen then return 0 end
call('HSET', META, 'credentials', credentials)
if what then log_act('credential', { reason = what, origin = origin }, now, now_text) end
return 1
