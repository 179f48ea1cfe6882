package main

const sysPpoll = 271
