export { OutboxMessages } from './outbox-messages';
export { PluginHandler } from './plugin.handler';
