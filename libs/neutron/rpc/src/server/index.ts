export { OutboxMessages } from './outbox-messages';
export { PluginHandler } from './plugin.handler';
export { ServerLife } from './server-life';
