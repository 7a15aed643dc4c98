-- Takes back changes of members: those that the Platform refused, or those that a brake holds.
--
-- Cost: O(log n) for each member, of whom there are at most a batch; the rest is a chore.

local group, now, now_text, origin, what = take(), take_number(), take(), take_optional(), take()

if not is_group(group) then return {} end
if what == 'discard' then
  if not has_stage(group, HELD) then return {} end
  advance(RESTORE, group, '', now, now_text)
  log_act('discard', { kind = 'group', id = group, origin = origin }, now, now_text)
  return { group }
end
local asked, back = take_list(), {}
for i = 1, #asked, 2 do
  local stage = tonumber(call('ZSCORE', P .. 'pending:' .. group, asked[i]) or nil)
  local refused = stage and stage >= REFUSED and stage < HELD
  if refused and stamp_of(group, asked[i]) == tonumber(asked[i + 1]) then back[#back + 1] = asked[i] end
end
put_back(group, back, now, now_text, origin)
return back
