export { HeartbeatLoop, type Heartbeat } from './heartbeat-loop';
