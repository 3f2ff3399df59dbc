export { BackgroundImports } from './background-imports';
export { SweepLoop } from './sweep-loop';
