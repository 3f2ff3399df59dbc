export * from './surface';
