// The four processes of Centro for PM2. Run ./start.sh --setup once, then: pm2 start ecosystem.config.js
// The process "redis" is left out where the configuration names a Redis of its own (CENTRO_REDIS_URL).
const { execFileSync } = require("node:child_process");
const path = require("node:path");

const root = __dirname;
const python = path.join(process.env.CENTRO_VENV || path.join(root, ".venv"), "bin", "python");

function embeddedRedis() {
  try {
    const values = execFileSync(python, ["-m", "centro.config", "shell"], { cwd: root, encoding: "utf8" });
    return values.includes("centro_embedded_redis=yes");
  } catch (error) {
    throw new Error(`Centro is not set up or its configuration is wrong; run ./start.sh --setup (${error.message})`);
  }
}

function program(name, script, killTimeout) {
  return {
    name,
    script: path.join(root, script),
    cwd: root,
    interpreter: "bash",
    // The scripts replace themselves by the process proper, which ends its own children. Ending the whole
    // tree would also end the jobs that the local system runs.
    treekill: false,
    kill_timeout: killTimeout,
    min_uptime: 3000,
    exp_backoff_restart_delay: 500,
    time: false,
  };
}

module.exports = {
  apps: [
    ...(embeddedRedis() ? [program("redis", "deploy/start_redis.sh", 10000)] : []),
    program("server", "start_server.sh", 15000),
    program("worker", "start_worker.sh", 30000),
    program("beat", "start_beat.sh", 10000),
  ],
};
