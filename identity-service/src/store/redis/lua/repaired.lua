-- Logs that a group's members were repaired on the Platform other than by a delivery, and who did. Cost: O(1), and a few old
-- entries of the log go (log.lua).

local group, now, now_text, origin = take(), take_number(), take(), take_optional()
log_act('repair', { kind = 'group', id = group, origin = origin }, now, now_text)
return 1
