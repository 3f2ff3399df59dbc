import { runApp } from '@nestack/kernel/app';
import { app } from './app.module';

runApp(app);
