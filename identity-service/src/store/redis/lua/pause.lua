-- Pauses a tenant, or ends its pause, and logs who did. Cost: O(1), and a few old entries of the log go (log.lua).

local now, now_text, told = take_number(), take(), { origin = take_optional() }
local pause = take_optional()
told.by, told.reason = take_optional(), take_optional()
if pause then
  call('HSET', META, 'pause', pause)
  log_act('pause', told, now, now_text)
elseif call('HDEL', META, 'pause') == 1 then
  log_act('resume', told, now, now_text)
end
return 1
