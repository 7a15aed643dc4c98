-- Keeps other credentials in place of those that the caller has seen, the empty text where it saw none; whether they were the
-- present ones. Cost: O(1).

local seen, credentials = take(), take()
if (call('HGET', META, 'credentials') or '') ~= seen then return 0 end
call('HSET', META, 'credentials', credentials)
return 1
