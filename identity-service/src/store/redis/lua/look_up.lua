-- The resources that `seek` found, each with the first of the groups that it is in. Takes what it needs without `base`: it
-- is run the most.
--
-- Cost: O(log n) for each resource and each group, of which it touches at most BATCH together.

local answer = { more }
local left = BATCH - #ids

-- Adds the groups of a member after what is known of it: whether there may be more, then ids and records.
local function add_groups(member, seen)
  local limit = math.min(groups, left)
  seen[3] = 1
  if limit <= 0 then return end
  local page = call('ZRANGE', P .. 'groups:' .. member, 0, limit - 1)
  left = left - #page
  if #page < limit then seen[3] = 0 end
  if #page == 0 or is_leaving(member) then return end
  for i, raw in ipairs(call('HMGET', P .. 'group', unpack(page))) do
    -- Of a group that is gone, what it left is still to be swept.
    if raw and in_set(page[i], member) then
      seen[#seen + 1] = page[i]
      seen[#seen + 1] = raw
    end
  end
end

for i, raw in ipairs(call('HMGET', P .. kind, unpack(ids))) do
  if raw then
    local seen = { ids[i], raw }
    add_groups(ids[i], seen)
    answer[#answer + 1] = seen
  end
end
return answer
