-- Says that the Platform may not have what is wanted of members of a group, or of those who are none: they are unconfirmed
-- again; logs who did. Gives how many.
--
-- Cost: O(log n) for each, of whom there are at most a batch; and a few old entries of the log go (log.lua).

local group, now, now_text, origin = take(), take_number(), take(), take_optional()

if not is_group(group) then return 0 end
local doubted, urgent = {}, false
for _, member in ipairs(take_list()) do
  local stands = call('ZSCORE', P .. 'pending:' .. group, member)
  -- A kept id that is no resource waits, so that an account which a tombstone of it has is not taken for its own.
  if not stands and link_of(member).platform_id then
    doubted[#doubted + 1] = member
    -- Who is taken out may lose access.
    urgent = urgent or not is_member(group, member)
  end
end
if #doubted == 0 then return 0 end
for _, member in ipairs(doubted) do unconfirm(group, member) end
mark('group', group, now, nil, urgent and function(work) hasten(group, work) end)
log_act('repair', { kind = 'group', id = group, origin = origin }, now, now_text)
return #doubted
