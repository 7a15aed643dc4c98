-- Pauses a tenant, or ends its pause. Cost: O(1).

local pause = take_optional()
if pause then call('HSET', META, 'pause', pause) else call('HDEL', META, 'pause') end
return 1
