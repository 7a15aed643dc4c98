-- Members whose wanted state the Platform has not confirmed. Each stands in a stage: ready, waiting for its account, or
-- refused in a round. Whether it shall be in or out is the membership itself.

local READY, WAITING, REFUSED = 0, 1, 2 -- refused in round n: REFUSED + n
local HELD = 1099511627776 -- it left with many others, and a brake is on

local function stand(group, member, stage, stamp)
  call('ZADD', P .. 'pending:' .. group, stage, member)
  call('HSET', P .. 'stamps:' .. group, member, stamp)
  call('ZADD', P .. 'pending_in:' .. member, 0, group)
end

-- Notes that there is nothing left to do about a member.
local function confirm(group, member)
  if call('ZREM', P .. 'pending:' .. group, member) == 1 then
    call('HDEL', P .. 'stamps:' .. group, member)
    call('ZREM', P .. 'pending_in:' .. member, group)
  end
end

-- Notes that a member's state on the Platform is not what is wanted, or not known to be.
local function unconfirm(group, member)
  stand(group, member, link_of(member).platform_id and READY or WAITING, step_stamp())
end

-- Notes that a member came. One that is no resource has no account, even if a tombstone of the id still has one.
local function join(group, member, known)
  if known then return unconfirm(group, member) end
  stand(group, member, WAITING, step_stamp())
end

-- Notes that a member left. One without an account was never put in, so there is nothing to take out.
local function leave(group, member)
  if link_of(member).platform_id then return unconfirm(group, member) end
  confirm(group, member)
end

local function stamp_of(group, member)
  return tonumber(call('HGET', P .. 'stamps:' .. group, member) or nil)
end

-- Moves an unconfirmed member to another stage.
local function restage(group, member, stage)
  if call('ZSCORE', P .. 'pending:' .. group, member) then call('ZADD', P .. 'pending:' .. group, stage, member) end
end

-- A group's unconfirmed members that can be put in or out in this round.
local function ready(group, round, limit)
  local pending = P .. 'pending:' .. group
  local members = call('ZRANGEBYSCORE', pending, READY, READY, 'LIMIT', 0, limit)
  if #members < limit then
    local again = call('ZRANGEBYSCORE', pending, REFUSED, '(' .. (REFUSED + round), 'LIMIT', 0, limit - #members)
    for _, member in ipairs(again) do members[#members + 1] = member end
  end
  return members
end

local function has_stage(group, stage)
  return #call('ZRANGEBYSCORE', P .. 'pending:' .. group, stage, stage, 'LIMIT', 0, 1) > 0
end
