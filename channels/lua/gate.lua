-- The state of one provider account, shared by all processes. The sums are those of channels/rules/breaker.py and
-- channels/rules/gate.py, where they are explained; a test holds them against each other. This part is put before the
-- two scripts. The clock is the server's: clients' clocks differ.
--   KEYS[1] the state, KEYS[2] the scorecard's minutes; ARGV[1] the question or report, ARGV[2] numbers of the policy
local said, policy = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

local function load()
  local packed = redis.call('GET', KEYS[1])
  if packed then return cmsgpack.unpack(packed) end
  return {
    breaker = {
      state = 'closed', turn = 0, failures = 0, successes = 0, ['until'] = 0, last_fault_at = 0,
      window_at = 0, window_sound = 0, window_faults = 0, probes = {},
    },
    tokens_at = 0, backoff_until = 0,
  }
end

local function keep(gate)
  redis.call('SET', KEYS[1], cmsgpack.pack(gate), 'EX', policy.gate_seconds)
end

local function turn(breaker, to, open_seconds)
  breaker.state, breaker.turn = to, breaker.turn + 1
  breaker.failures, breaker.successes, breaker.window_sound, breaker.window_faults = 0, 0, 0, 0
  breaker.window_at, breaker.probes = 0, {}
  breaker['until'] = open_seconds and now + open_seconds or 0
end

-- A probe is {token, count, until}.
local function probes_but(breaker, is_gone)
  local left = {}
  for _, probe in ipairs(breaker.probes) do
    if not is_gone(probe) then left[#left + 1] = probe end
  end
  return left
end
