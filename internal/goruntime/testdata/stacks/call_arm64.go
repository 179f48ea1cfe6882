package main

const sysPpoll = 73
