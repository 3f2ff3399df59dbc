// Decorators of Nest and TypeORM record their metadata through this package, whatever a test imports first.
import 'reflect-metadata';
