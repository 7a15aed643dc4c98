-- What nearly every script needs: the keys (see ../keys.rs for what each holds) and the reading of arguments.
--
-- A script is one atomic step. It makes every check before its first write, since Redis takes back nothing of a script
-- that fails; it touches at most BATCH entries, which stands before this. Ids and documents are opaque here; times are milliseconds, but for those of records, which are only kept.

local META, LINKS, WORK = P .. 'meta', P .. 'links', P .. 'work'
local TOMBSTONES, FEED, CHORES, CURSORS = P .. 'tombstones', P .. 'feed', P .. 'chores', P .. 'cursors'

local at = 0

local function take()
  at = at + 1
  return ARGV[at]
end

local function take_number()
  return tonumber(take())
end

-- A text that may be absent: nothing is sent as the empty text.
local function take_optional()
  local text = take()
  if text ~= '' then return text end
end

local function take_optional_number()
  return tonumber(take_optional() or nil)
end

local function take_list()
  local list = {}
  for i = 1, take_number() do list[i] = take() end
  return list
end

-- The next stamp: moves with every change of work or of an unconfirmed member.
local function next_stamp()
  return call('HINCRBY', META, 'stamp', 1)
end

-- The stamp that the members of one step share.
local shared_stamp
local function step_stamp()
  shared_stamp = shared_stamp or next_stamp()
  return shared_stamp
end

-- What a step may leave to be done in batches (see chores.lua). Numbers are kept in the store: never change one.
local DISSOLVE, REPORTS, JOIN_AGAIN, NOW_READY, REFILL, MERGE, LEAVE, WAKE, GONE, RENAME, RELEASE, RESTORE =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
